{{/* Mistakes that the schema cannot put into words. */}}
{{- define "sagemaker-exporter.check" -}}
{{- $sharded := gt (int .Values.shards) 1 }}
{{- if and $sharded (not .Values.config.targets) }}
{{- fail (printf "\nshards is %d, but config.targets is empty: there is only one target to share. List the targets, or set shards to 1." (int .Values.shards)) }}
{{- end }}
{{- if and $sharded .Values.persistence.existingClaim }}
{{- fail "\npersistence.existingClaim is one volume, and each shard needs its own: leave it empty with more than one shard." }}
{{- end }}
{{- if and .Values.persistence.existingClaim (not .Values.persistence.enabled) }}
{{- fail "\npersistence.existingClaim is set, but persistence.enabled is false: set it to true." }}
{{- end }}
{{- if and .Values.webConfig.content .Values.webConfig.existingSecret }}
{{- fail "\nwebConfig.content and webConfig.existingSecret are both set: the web configuration comes from one of them." }}
{{- end }}
{{- include "sagemaker-exporter.checkState" . }}
{{- include "sagemaker-exporter.checkMonitor" .Values.monitor }}
{{- range .Values.extraEnv }}
{{- if or (eq .name "POD_NAME") (and $.Values.region (eq .name "AWS_DEFAULT_REGION")) }}
{{- fail (printf "\nextraEnv sets %s, which the chart sets itself: leave it out there%s." .name (ternary "" ", or leave region empty" (eq .name "POD_NAME"))) }}
{{- end }}
{{- end }}
{{- range .Values.extraVolumes }}
{{- if has .name (list "config" "web-config" "tls" "state" "database") }}
{{- fail (printf "\nextraVolumes has a volume %s, and so has the chart: give it another name." .name) }}
{{- end }}
{{- end }}
{{- end }}

{{/* The Prometheus operator refuses a monitor with such times, and says so in its own log only. */}}
{{- define "sagemaker-exporter.checkMonitor" -}}
{{- $interval := include "sagemaker-exporter.milliseconds" .interval | atoi }}
{{- $timeout := include "sagemaker-exporter.milliseconds" .scrapeTimeout | atoi }}
{{- if and .interval (eq $interval 0) }}
{{- fail (printf "\nmonitor.interval is %s: it must be longer than 0, or empty for the interval of your Prometheus." .interval) }}
{{- end }}
{{- if and .scrapeTimeout (eq $timeout 0) }}
{{- fail (printf "\nmonitor.scrapeTimeout is %s: it must be longer than 0, or empty to follow the interval." .scrapeTimeout) }}
{{- end }}
{{- if and .interval (gt $timeout $interval) }}
{{- fail (printf "\nmonitor.scrapeTimeout is %s and monitor.interval is %s: the timeout may not be longer than the interval. Leave it empty to follow the interval." .scrapeTimeout .interval) }}
{{- end }}
{{- end }}

{{/* config.yaml: the values' sections, and those that follow from the chart. */}}
{{- define "sagemaker-exporter.config" -}}
{{- $state := include "sagemaker-exporter.state" . | fromYaml }}
{{- $config := mergeOverwrite (deepCopy .Values.config) (dict "state" $state) }}
{{- if eq (include "sagemaker-exporter.shape" .) "shards" }}
{{- $config = set $config "sharding" (dict "total" (int .Values.shards)) }}
{{- end }}
{{- toYaml $config }}
{{- end }}

{{- define "sagemaker-exporter.webSecret" -}}
{{- if .Values.webConfig.content }}{{ include "sagemaker-exporter.fullname" . }}-web{{ end }}
{{- .Values.webConfig.existingSecret }}
{{- end }}

{{- define "sagemaker-exporter.scheme" -}}
{{- $tls := or .Values.webConfig.existingSecret .Values.webConfig.content.tls_server_config }}
{{- default (ternary "https" "http" (not (empty $tls))) .Values.webConfig.scheme }}
{{- end }}

{{/* How to ask whether it is well; a kubelet has neither password nor certificate. */}}
{{- define "sagemaker-exporter.probe" -}}
{{- $web := .root.Values.webConfig }}
{{- $locked := or $web.existingSecret $web.content.basic_auth_users ($web.content.tls_server_config | default dict).client_auth_type }}
{{- if eq (default (ternary "tcp" "http" (not (empty $locked))) $web.probes) "tcp" -}}
tcpSocket:
  port: metrics
{{- else -}}
httpGet:
  path: {{ .path }}
  port: metrics
  scheme: {{ include "sagemaker-exporter.scheme" .root | upper }}
{{- end }}
{{ toYaml .timing }}
{{- end }}
