"""The champion as an HTTP service, which never imports pandas, pyarrow or MLflow, and on tables."""
