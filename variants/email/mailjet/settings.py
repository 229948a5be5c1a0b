
    mailjet_api_key: str = Field(default="", repr=False)
    mailjet_secret_key: str = Field(default="", repr=False)
    # https://api.us.mailjet.com for accounts in the United States.
    mailjet_url: str = "https://api.mailjet.com"
    # Part of the address that Mailjet is told: https://mailjet:<password>@<our address>/api/v1/webhooks/email.
    mailjet_webhook_password: str = Field(default="", repr=False)
