{{/*
Where the totals are: in the `file` of one pod, in the files of `shards`, or in a database that `replicas` share. Pods of
replicas come and go beside each other: their names are their instances, and nothing is mounted for the state.
*/}}
{{- define "sagemaker-exporter.shape" -}}
{{- ternary "replicas" (ternary "shards" "file" (gt (int .Values.shards) 1)) (ne .Values.state.url "") }}
{{- end }}

{{- define "sagemaker-exporter.checkState" -}}
{{- $state := .Values.state }}
{{- if and (gt (int .Values.replicas) 1) (not $state.url) }}
{{- fail (printf "\nreplicas is %d, but state.url is empty: several replicas share their totals in a PostgreSQL database. Set state.url, or replicas to 1." (int .Values.replicas)) }}
{{- end }}
{{- if and $state.passwordSecret.name (not $state.url) }}
{{- fail "\nstate.passwordSecret.name is set, but state.url is empty: the password is that of state.url." }}
{{- end }}
{{- if $state.url }}
{{- if gt (int .Values.shards) 1 }}
{{- fail (printf "\nshards is %d, and state.url is set: replicas share the targets by themselves. Set shards to 1, and replicas to the number of pods." (int .Values.shards)) }}
{{- end }}
{{- if .Values.persistence.enabled }}
{{- fail "\npersistence.enabled is true, and state.url is set: the totals are in the database, and no volume is needed. Set it to false; docs/scaling.md says how the totals of a file are copied." }}
{{- end }}
{{- if or (regexMatch "^[a-z]+://[^/?#@]*:[^/?#]*@" $state.url) (regexMatch "[?&][a-z]*password=" (lower $state.url)) }}
{{- fail "\nstate.url contains a password, which everybody who may read ConfigMaps would see: put it into a Secret, and name that in state.passwordSecret." }}
{{- end }}
{{- end }}
{{- end }}

{{/* The section `state` of config.yaml. */}}
{{- define "sagemaker-exporter.state" -}}
{{- if eq (include "sagemaker-exporter.shape" .) "replicas" -}}
url: {{ quote .Values.state.url }}
{{- if .Values.state.passwordSecret.name }}
password_file: /etc/sagemaker-exporter/database/password
{{- end }}
{{- else -}}
path: /var/lib/sagemaker-exporter/state.sqlite
{{- end }}
{{- end }}

{{/* The ports of the servers that state.url names, as a JSON list. */}}
{{- define "sagemaker-exporter.databasePorts" -}}
{{- $servers := regexReplaceAll "^[a-z]+://([^/?#@]*@)?" .Values.state.url "" | regexFind "^[^/?#]*" | splitList "," }}
{{- $default := regexFind "[?&]port=[0-9,]+" .Values.state.url | regexFind "[0-9,]+" | default "5432" }}
{{- $ports := list }}
{{- range $servers }}
{{- $ports = concat $ports (regexFind ":[0-9]+$" . | trimPrefix ":" | default $default | splitList ",") }}
{{- end }}
{{- $ports | uniq | toJson }}
{{- end }}
