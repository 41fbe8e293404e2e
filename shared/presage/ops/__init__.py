"""Running the platform: health, escalations, cleaning up."""
