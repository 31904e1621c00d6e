"""How gunicorn runs the service of one-time links; the socket comes from systemd."""

# One process counts who was wrong; its threads wait for the disk, not for each other.
workers = 1
worker_class = "gthread"
threads = 16
backlog = 2048
timeout = 30
graceful_timeout = 10
# The web server opens a connection for each request.
keepalive = 0
limit_request_line = 512
limit_request_fields = 40
limit_request_field_size = 2048
# Nothing about single requests; the service itself says which device has fetched its profile.
accesslog = None
errorlog = "-"
loglevel = "warning"
proc_name = "privatespace-portal"
