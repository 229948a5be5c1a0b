
    resend_api_key: str = Field(default="", repr=False)
