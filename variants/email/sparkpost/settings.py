
    sparkpost_api_key: str = Field(default="", repr=False)
    # https://api.eu.sparkpost.com for accounts in the European Union.
    sparkpost_url: str = "https://api.sparkpost.com"
    # That SparkPost sends, as HTTP Basic, with what it reports to https://<our address>/api/v1/webhooks/email.
    sparkpost_webhook_password: str = Field(default="", repr=False)
