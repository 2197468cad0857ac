"""python -m <package> STAGE [KEY=value...]: hands over to the kit what is yours."""

import sys

from ml_template import Project, main

PROJECT = Project(
    str(__package__),
    features="features:features",
    build="model:build",
    load="load:load",
)

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], PROJECT))
