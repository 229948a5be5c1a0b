
    aws_region: str = ""
    # Empty: AWS's own for the region.
    ses_url: str = ""
    # The SNS topic that reports to https://<our address>/api/v1/webhooks/email, with SignatureVersion 2.
    ses_topic_arn: str = ""
