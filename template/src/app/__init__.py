"""The service. `main` starts the API, `worker` the Celery worker, `cli` the command line."""
