"""Makes the documentation site of docs/, docstrings, the service's OpenAPI document and the command itself."""
