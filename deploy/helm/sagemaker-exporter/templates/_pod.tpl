{{/* The pod: the same in the Deployment and in the StatefulSet. */}}
{{- define "sagemaker-exporter.pod" -}}
metadata:
  labels:
    {{- mergeOverwrite (deepCopy .Values.podLabels) (include "sagemaker-exporter.labels" . | fromYaml) | toYaml | nindent 4 }}
  {{- with .Values.podAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ include "sagemaker-exporter.serviceAccountName" . | quote }}
  automountServiceAccountToken: {{ .Values.serviceAccount.automountToken }}
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ int64 .Values.terminationGracePeriodSeconds }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ quote . }}
  {{- end }}
  securityContext:
    {{- toYaml .Values.podSecurityContext | nindent 4 }}
  {{- range $key := list "imagePullSecrets" "nodeSelector" "tolerations" "affinity" "topologySpreadConstraints" }}
  {{- with index $.Values $key }}
  {{ $key }}:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- end }}
  containers:
    - name: exporter
      {{- include "sagemaker-exporter.container" . | nindent 6 }}
  volumes:
    - name: config
      configMap:
        name: {{ include "sagemaker-exporter.fullname" . | quote }}
    {{- with include "sagemaker-exporter.webSecret" . }}
    - name: web-config
      secret:
        secretName: {{ quote . }}
    {{- end }}
    {{- with .Values.webConfig.tlsSecret }}
    - name: tls
      secret:
        secretName: {{ quote . }}
    {{- end }}
    {{- if not .Values.persistence.enabled }}
    - name: state
      emptyDir: {}
    {{- else if le (int .Values.shards) 1 }}
    - name: state
      persistentVolumeClaim:
        claimName: {{ default (include "sagemaker-exporter.fullname" .) .Values.persistence.existingClaim | quote }}
    {{- end }}
    {{- with .Values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}

{{- define "sagemaker-exporter.image" -}}
{{- $image := .Values.image -}}
{{- $tagged := printf "%s:%s" $image.repository (default (include "sagemaker-exporter.version" .) $image.tag) -}}
{{ ternary (printf "%s@%s" $image.repository $image.digest) $tagged (ne $image.digest "") }}
{{- end }}

{{- define "sagemaker-exporter.container" -}}
image: {{ include "sagemaker-exporter.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args:
  - --config.file=/etc/sagemaker-exporter/config/config.yaml
  - --config.auto-reload-interval=30s
  {{- if include "sagemaker-exporter.webSecret" . }}
  - --web.config.file=/etc/sagemaker-exporter/web/web.yaml
  {{- end }}
  - --log.level={{ .Values.log.level }}
  - --log.format={{ .Values.log.format }}
  {{- with .Values.extraArgs }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
env:
  - name: POD_NAME
    valueFrom:
      fieldRef:
        fieldPath: metadata.name
  {{- with .Values.region }}
  - name: AWS_DEFAULT_REGION
    value: {{ quote . }}
  {{- end }}
  {{- with .Values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .Values.extraEnvFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
ports:
  - name: metrics
    containerPort: 9841
    protocol: TCP
startupProbe:
  {{- include "sagemaker-exporter.probe" (dict "root" . "path" "/healthz" "timing" .Values.probes.startup) | nindent 2 }}
livenessProbe:
  {{- include "sagemaker-exporter.probe" (dict "root" . "path" "/healthz" "timing" .Values.probes.liveness) | nindent 2 }}
readinessProbe:
  {{- include "sagemaker-exporter.probe" (dict "root" . "path" "/readyz" "timing" .Values.probes.readiness) | nindent 2 }}
resources:
  {{- toYaml .Values.resources | nindent 2 }}
securityContext:
  {{- toYaml .Values.securityContext | nindent 2 }}
volumeMounts:
  - name: config
    mountPath: /etc/sagemaker-exporter/config
    readOnly: true
  {{- if include "sagemaker-exporter.webSecret" . }}
  - name: web-config
    mountPath: /etc/sagemaker-exporter/web
    readOnly: true
  {{- end }}
  {{- if .Values.webConfig.tlsSecret }}
  - name: tls
    mountPath: /etc/sagemaker-exporter/tls
    readOnly: true
  {{- end }}
  - name: state
    mountPath: /var/lib/sagemaker-exporter
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
