"""The sample feature: a long job with progress and a result. Copy it, then delete it."""
