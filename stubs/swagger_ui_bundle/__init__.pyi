"""What supplier_api uses of swagger-ui-bundle, which has no annotations of its own."""

from pathlib import Path

swagger_ui_path: Path
