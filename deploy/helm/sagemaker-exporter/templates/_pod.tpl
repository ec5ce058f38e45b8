{{/* The pod: the same in the Deployment and in the StatefulSet. */}}
{{- define "sagemaker-exporter.pod" -}}
metadata:
  labels:
    {{- mergeOverwrite (deepCopy .Values.podLabels) (include "sagemaker-exporter.labels" . | fromYaml) | toYaml | nindent 4 }}
  {{- with include "sagemaker-exporter.annotations" . | fromYaml }}
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
  {{- range $key := list "imagePullSecrets" "nodeSelector" "tolerations" "affinity" }}
  {{- with index $.Values $key }}
  {{ $key }}:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- end }}
  {{- with .Values.topologySpreadConstraints | default (include "sagemaker-exporter.spread" . | fromYamlArray) }}
  topologySpreadConstraints:
    {{- toYaml . | nindent 4 }}
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
    {{- $shape := include "sagemaker-exporter.shape" . }}
    {{- if eq $shape "replicas" }}
    {{- with .Values.state.passwordSecret }}
    {{- if .name }}
    - name: database
      secret:
        secretName: {{ quote .name }}
        items:
          - key: {{ quote .key }}
            path: password
    {{- end }}
    {{- end }}
    {{- else if not .Values.persistence.enabled }}
    - name: state
      emptyDir: {}
    {{- else if eq $shape "file" }}
    - name: state
      persistentVolumeClaim:
        claimName: {{ default (include "sagemaker-exporter.fullname" .) .Values.persistence.existingClaim | quote }}
    {{- end }}
    {{- with .Values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}

{{/* A running exporter reloads every section but `state`: another database replaces the pods. */}}
{{- define "sagemaker-exporter.annotations" -}}
{{- $state := dict "checksum/state" (include "sagemaker-exporter.state" . | sha256sum) }}
{{- $replicas := eq (include "sagemaker-exporter.shape" .) "replicas" }}
{{- mergeOverwrite (deepCopy .Values.podAnnotations) (ternary $state (dict) $replicas) | toYaml }}
{{- end }}

{{/* How several replicas are spread: over zones and nodes, as far as possible, and each version by itself. */}}
{{- define "sagemaker-exporter.spread" -}}
{{- if gt (int .Values.replicas) 1 }}
{{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
- maxSkew: 1
  topologyKey: {{ . }}
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- include "sagemaker-exporter.selectorLabels" $ | nindent 6 }}
  matchLabelKeys: [pod-template-hash]
{{- end }}
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
  {{- if ne (include "sagemaker-exporter.shape" .) "replicas" }}
  - name: state
    mountPath: /var/lib/sagemaker-exporter
  {{- else if .Values.state.passwordSecret.name }}
  - name: database
    mountPath: /etc/sagemaker-exporter/database
    readOnly: true
  {{- end }}
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
