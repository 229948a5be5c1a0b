
    postmark_server_token: str = Field(default="", repr=False)
    postmark_url: str = "https://api.postmarkapp.com"
    # The password in the webhook's address: https://postmark:<password>@<our address>/api/v1/webhooks/email.
    postmark_webhook_secret: str = Field(default="", repr=False)
