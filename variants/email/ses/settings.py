
    aws_region: str = ""
    # Empty: AWS's own for the region.
    ses_url: str = ""
    # The SNS topic that reports to https://<our address>/webhooks/email, with SignatureVersion 2.
    ses_topic_arn: str = ""
