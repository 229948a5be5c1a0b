
    scaleway_secret_key: str = Field(default="", repr=False)
    scaleway_project_id: str = ""
    scaleway_url: str = "https://api.scaleway.com/transactional-email/v1alpha1/regions/fr-par"
    # Of the webhook's address: https://<our address>/api/v1/webhooks/email?secret=...
    scaleway_webhook_secret: str = Field(default="", repr=False)
