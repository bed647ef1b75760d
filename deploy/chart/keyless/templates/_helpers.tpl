{{- define "keyless.labels" -}}
app.kubernetes.io/name: keyless
{{- end }}

{{- define "keyless.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else if and .Values.image.tag .Values.image.allowTag -}}
{{ .Values.image.repository }}:{{ .Values.image.tag }}
{{- else -}}
{{- fail "image.digest is missing: set it to the sha256:… of your image, or image.tag with image.allowTag: true" -}}
{{- end -}}
{{- end }}

{{/* keyless.yaml: what is set, with the chart's own ServiceAccount and ledger. */}}
{{- define "keyless.settings" -}}
{{- $settings := deepCopy .Values.settings -}}
{{- $own := dict "serviceAccount" (printf "%s/keyless-probe" .Release.Namespace) "ledger" (printf "%s/keyless-ledger" .Release.Namespace) -}}
{{- $_ := set $settings "cluster" (mergeOverwrite (default dict $settings.cluster) $own) -}}
{{- toYaml $settings -}}
{{- end }}

{{- define "keyless.securityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "keyless.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* What a pod has beside its containers. */}}
{{- define "keyless.pod" -}}
serviceAccountName: keyless
securityContext:
  {{- include "keyless.securityContext" . | nindent 2 }}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
- name: {{ . }}
{{- end }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* What every container of the program has. */}}
{{- define "keyless.container" -}}
image: {{ include "keyless.image" . | quote }}
{{- with .Values.image.pullPolicy }}
imagePullPolicy: {{ . }}
{{- end }}
resources:
  {{- toYaml .Values.resources | nindent 2 }}
securityContext:
  {{- include "keyless.containerSecurityContext" . | nindent 2 }}
{{- end }}

{{/* The login to the bucket: a token of the publisher's own ServiceAccount, and where the client looks for it. */}}
{{- define "keyless.env" -}}
{{- if .Values.login.aws.roleArn }}
env:
- name: AWS_ROLE_ARN
  value: {{ .Values.login.aws.roleArn | quote }}
- name: AWS_WEB_IDENTITY_TOKEN_FILE
  value: /var/run/secrets/keyless/token
{{- else if .Values.login.google.audience }}
env:
- name: GOOGLE_APPLICATION_CREDENTIALS
  value: /var/run/secrets/keyless/credentials.json
{{- end }}
{{- end }}

{{- define "keyless.mounts" -}}
{{- if or .Values.login.aws.roleArn .Values.login.google.audience }}
- name: bucket-token
  mountPath: /var/run/secrets/keyless
  readOnly: true
{{- end }}
- name: settings
  mountPath: /etc/keyless
  readOnly: true
{{- end }}

{{- define "keyless.settingsVolume" -}}
- name: settings
  configMap:
    name: keyless-settings
{{- end }}

{{- define "keyless.volumes" -}}
{{- if or .Values.login.aws.roleArn .Values.login.google.audience }}
- name: bucket-token
  projected:
    sources:
    {{- if .Values.login.google.audience }}
    - configMap:
        name: keyless-google-credentials
    {{- end }}
    - serviceAccountToken:
        path: token
        audience: {{ .Values.login.google.audience | default .Values.login.aws.audience | quote }}
        expirationSeconds: 900
{{- end }}
{{ include "keyless.settingsVolume" . }}
{{- end }}
