
    mailtrap_api_key: str = Field(default="", repr=False)
    # https://bulk.api.mailtrap.io for newsletters.
    mailtrap_url: str = "https://send.api.mailtrap.io"
    # Of the webhook for https://<our address>/api/v1/webhooks/email.
    mailtrap_webhook_secret: str = Field(default="", repr=False)
