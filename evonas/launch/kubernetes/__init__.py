"""Kubernetes, through kubectl and KubeRay."""
