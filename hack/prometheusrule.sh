#!/bin/sh
# Prints the rules of deploy/prometheus, unchanged, as a PrometheusRule of the Prometheus operator.
#
#   hack/prometheusrule.sh > deploy/kustomize/components/monitoring/prometheusrule.yaml
set -eu
cd "$(dirname "$0")/../deploy/prometheus"

cat << 'END'
# Made from deploy/prometheus/*.rules.yml by `make manifests`; change those.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: sagemaker-exporter
  labels:
    app.kubernetes.io/name: sagemaker-exporter
spec:
  groups:
END
for rules in *.rules.yml; do
    sed -e '1,/^groups:$/d' -e 's/^./  &/' "$rules"
done
