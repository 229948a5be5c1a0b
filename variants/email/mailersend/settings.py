
    mailersend_api_key: str = Field(default="", repr=False)
    mailersend_url: str = "https://api.mailersend.com"
    # Of the webhook for https://<our address>/api/v1/webhooks/email.
    mailersend_webhook_secret: str = Field(default="", repr=False)
