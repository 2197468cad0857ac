"""What all tests share: `trained`, a small model of your table, and `service`, which answers."""

from ml_template.testing import Trained as Trained
from ml_template.testing import begin
from ml_template.testing import service as service
from ml_template.testing import trained as trained

from {{ cookiecutter.package_name }}.__main__ import PROJECT

begin(PROJECT)
