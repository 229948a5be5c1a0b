
    brevo_api_key: str = Field(default="", repr=False)
    brevo_url: str = "https://api.brevo.com"
    # The password in the webhook's address: https://brevo:<password>@<our address>/api/v1/webhooks/email.
    brevo_webhook_secret: str = Field(default="", repr=False)
