
    mailgun_api_key: str = Field(default="", repr=False)
    # The sending domain, such as mg.example.com.
    mailgun_domain: str = ""
    # https://api.eu.mailgun.net for a domain in the EU.
    mailgun_url: str = "https://api.mailgun.net"
    # The account's, for the webhooks to https://<our address>/api/v1/webhooks/email.
    mailgun_webhook_signing_key: str = Field(default="", repr=False)
