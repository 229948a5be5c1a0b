
    resend_api_key: str = Field(default="", repr=False)
    resend_url: str = "https://api.resend.com"
    # Of the webhook for https://<our address>/webhooks/email.
    resend_webhook_secret: str = Field(default="", repr=False)
