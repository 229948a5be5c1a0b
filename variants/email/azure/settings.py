
    # https://<resource>.communication.azure.com
    azure_endpoint: str = ""
    azure_access_key: str = Field(default="", repr=False)
    # Of the webhook's address: https://<our address>/api/v1/webhooks/email?secret=...
    azure_webhook_secret: str = Field(default="", repr=False)
