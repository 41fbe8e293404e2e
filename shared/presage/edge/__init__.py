"""What stands between API Gateway and a service: policy from routes.py, errors, envelope."""
