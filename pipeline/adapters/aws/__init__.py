"""The engine on AWS. Its modules are imported one by one: `table` needs no boto3, the others do."""
