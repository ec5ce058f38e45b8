{{/* Short enough for what is appended to it: "-headless", a dashboard's name. */}}
{{- define "sagemaker-exporter.fullname" -}}
{{- $name := "sagemaker-exporter" }}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) }}
{{- default $full .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "sagemaker-exporter.serviceAccountName" -}}
{{- $default := ternary (include "sagemaker-exporter.fullname" .) "default" .Values.serviceAccount.create }}
{{- default $default .Values.serviceAccount.name }}
{{- end }}

{{- define "sagemaker-exporter.serviceName" -}}
{{- include "sagemaker-exporter.fullname" . }}{{ if gt (int .Values.shards) 1 }}-headless{{ end }}
{{- end }}

{{/* The name becomes Prometheus's label `job`, which the alerts know. */}}
{{- define "sagemaker-exporter.selectorLabels" -}}
app.kubernetes.io/name: sagemaker-exporter
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "sagemaker-exporter.labels" -}}
{{- $own := dict
      "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-")
      "app.kubernetes.io/version" .Chart.AppVersion
      "app.kubernetes.io/managed-by" .Release.Service }}
{{- $selector := include "sagemaker-exporter.selectorLabels" . | fromYaml }}
{{- mergeOverwrite (dict) .Values.commonLabels $own $selector | toYaml }}
{{- end }}

{{/* What every object begins with; takes the root, and optionally a name, labels and annotations of its own. */}}
{{- define "sagemaker-exporter.metadata" -}}
name: {{ default (include "sagemaker-exporter.fullname" .root) .name }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- mergeOverwrite (dict) (.labels | default dict) (include "sagemaker-exporter.labels" .root | fromYaml) | toYaml | nindent 2 }}
{{- with .annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
