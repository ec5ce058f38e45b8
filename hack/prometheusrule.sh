#!/bin/sh
# Prints rules of deploy/prometheus, unchanged, as a PrometheusRule of the Prometheus operator: those that every profile has,
# or those of a profile.
#
#   hack/prometheusrule.sh         > deploy/kustomize/components/monitoring/prometheusrule.yaml
#   hack/prometheusrule.sh jobs    > deploy/kustomize/components/monitoring/prometheusrule-jobs.yaml
#   hack/prometheusrule.sh rates   > deploy/kustomize/components/rates/prometheusrule.yaml
set -eu
cd "$(dirname "$0")/../deploy/prometheus"
profile=${1:-}

cat << END
# Made from deploy/prometheus/${profile:+$profile/}*.rules.yml by \`make manifests\`; change those.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: sagemaker-exporter${profile:+-$profile}
  labels:
    app.kubernetes.io/name: sagemaker-exporter
spec:
  groups:
END
for rules in ${profile:+$profile/}*.rules.yml; do
    sed -e '1,/^groups:$/d' -e 's/^./  &/' "$rules"
done
