
    sendgrid_api_key: str = Field(default="", repr=False)
    # https://api.eu.sendgrid.com for a subuser in the EU.
    sendgrid_url: str = "https://api.sendgrid.com"
    # Of the signed event webhook for https://<our address>/api/v1/webhooks/email; it is public.
    sendgrid_webhook_verification_key: str = ""
