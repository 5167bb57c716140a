"""What a cluster of `cluster/aws.yaml` needs of an account of AWS, made and taken away."""
