"""For tests: a small model trained from model_config.yaml and its table, and its service.

from ml_template.testing import Service, Trained, service, trained  # fixtures of pytest
"""

from .models import Trained as Trained
from .models import begin as begin
from .models import take as take
from .models import trained as trained
from .models import trained_in as trained_in
from .services import JSON as JSON
from .services import Service as Service
from .services import sent as sent
from .services import served as served
from .services import service as service
