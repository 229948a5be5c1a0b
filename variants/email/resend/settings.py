
    resend_api_key: str = Field(default="", repr=False)
    resend_url: str = "https://api.resend.com"
    # Of the webhook for https://<our address>/api/v1/webhooks/email.
    resend_webhook_secret: str = Field(default="", repr=False)
