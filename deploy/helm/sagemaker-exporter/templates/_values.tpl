{{/*
Fill in the values that are missing. Helm deletes a default that is overridden with null, and that is also what `config:`
means when every key below it is commented out: so null is the default again. Only of what is handed on to Kubernetes as
it is, null removes the default: no limits, no fsGroup. Every template includes this before it reads a value.
*/}}
{{- define "sagemaker-exporter.values" -}}
{{- include "sagemaker-exporter.fill" (dict "values" .Values "defaults" (.Files.Get "defaults.yaml" | fromYaml)) }}
{{- end }}

{{- define "sagemaker-exporter.fill" -}}
{{- range $key, $default := .defaults }}
{{- $handedOn := has $key (list "resources" "podSecurityContext" "securityContext" "labels") }}
{{- $value := index $.values $key }}
{{- if kindIs "invalid" $value }}
{{- $_ := set $.values $key (ternary (dict) $default $handedOn) }}
{{- else if and (kindIs "map" $default) (not $handedOn) }}
{{- include "sagemaker-exporter.fill" (dict "values" $value "defaults" $default) }}
{{- end }}
{{- end }}
{{- end }}

{{/* Return a duration of Prometheus, such as 1m30s, in milliseconds. */}}
{{- define "sagemaker-exporter.milliseconds" -}}
{{- $units := dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000 "d" 86400000 "w" 604800000 "y" 31536000000 }}
{{- $sum := 0 }}
{{- range regexFindAll "[0-9]+[a-z]+" . -1 }}
{{- $sum = add $sum (mul (regexFind "[0-9]+" . | atoi) (get $units (regexFind "[a-z]+" .))) }}
{{- end }}
{{- $sum }}
{{- end }}

{{/* Return the timeout of a scrape: as set, else 25s, or the interval if that is shorter. */}}
{{- define "sagemaker-exporter.scrapeTimeout" -}}
{{- $short := lt (include "sagemaker-exporter.milliseconds" .interval | atoi) 25000 }}
{{- default (ternary .interval "25s" $short) .scrapeTimeout }}
{{- end }}
