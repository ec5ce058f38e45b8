{{/*
A Service may have letters, digits and dashes in its name and begins with a letter; a release may also have dots and begin
with a digit. The name is short enough for what is appended to it: "-headless", a dashboard's name. The schema holds
fullnameOverride to the same.
*/}}
{{- define "sagemaker-exporter.fullname" -}}
{{- $name := "sagemaker-exporter" }}
{{- $release := replace "." "-" .Release.Name }}
{{- $full := ternary $release (printf "%s-%s" $release $name) (contains $name $release) }}
{{- if not (regexMatch "^[a-z]" $full) }}
{{- $full = printf "%s-%s" $name $release }}
{{- end }}
{{- default (trunc 40 $full | trimAll "-") .Values.fullnameOverride }}
{{- end }}

{{- define "sagemaker-exporter.serviceAccountName" -}}
{{- $default := ternary (include "sagemaker-exporter.fullname" .) "default" .Values.serviceAccount.create }}
{{- default $default .Values.serviceAccount.name }}
{{- end }}

{{- define "sagemaker-exporter.serviceName" -}}
{{- include "sagemaker-exporter.fullname" . }}{{ if ne (include "sagemaker-exporter.shape" .) "file" }}-headless{{ end }}
{{- end }}

{{/* The name becomes Prometheus's label `job`, which the alerts know. */}}
{{- define "sagemaker-exporter.selectorLabels" -}}
app.kubernetes.io/name: sagemaker-exporter
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "sagemaker-exporter.labels" -}}
{{- $own := dict
      "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-")
      "app.kubernetes.io/version" (include "sagemaker-exporter.version" . | trunc 63 | trimAll "-_.")
      "app.kubernetes.io/managed-by" .Release.Service }}
{{- $selector := include "sagemaker-exporter.selectorLabels" . | fromYaml }}
{{- mergeOverwrite (dict) .Values.commonLabels $own $selector | toYaml }}
{{- end }}

{{/* A version may have a "+", a label and the tag of an image may not. */}}
{{- define "sagemaker-exporter.version" -}}
{{- .Chart.AppVersion | replace "+" "_" }}
{{- end }}

{{/* What every object begins with; takes the root, and optionally a name, labels and annotations of its own. */}}
{{- define "sagemaker-exporter.metadata" -}}
name: {{ default (include "sagemaker-exporter.fullname" .root) .name | quote }}
namespace: {{ .root.Release.Namespace | quote }}
labels:
  {{- mergeOverwrite (dict) (.labels | default dict) (include "sagemaker-exporter.labels" .root | fromYaml) | toYaml | nindent 2 }}
{{- with .annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
