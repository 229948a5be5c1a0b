
    mandrill_api_key: str = Field(default="", repr=False)
    mandrill_url: str = "https://mandrillapp.com/api/1.0"
    # Of the webhook for https://<our address>/api/v1/webhooks/email.
    mandrill_webhook_key: str = Field(default="", repr=False)
