"""What comes in: documents and news, parsed, chunked, embedded, indexed, each with the moment it was known."""

import os

# onnxruntime 1.31 writes a device id into the user's cache as it is imported, and reports to its maker. It looks at this
# when it is imported, so `disable_telemetry_events()` comes too late.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
