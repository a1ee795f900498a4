{{/* The queue agent: the only container with the service account's AWS credentials. */}}

{{- define "sd.agentContainer" -}}
{{- $agent := .Values.runtime.queueAgent -}}
name: queue-agent
image: {{ include "sd.image" (dict "root" . "path" "runtime.queueAgent.image" "image" $agent.image "tag" .Chart.AppVersion) }}
imagePullPolicy: {{ $agent.imagePullPolicy }}
command: [python, -m, queue_agent]
env:
  {{- include "sd.agentEnv" . | nindent 2 }}
ports:
- name: health
  containerPort: 8090
livenessProbe:
  httpGet:
    path: /healthz
    port: health
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
  terminationGracePeriodSeconds: 30
readinessProbe:
  httpGet:
    path: /readyz
    port: health
  periodSeconds: 5
  timeoutSeconds: 5
securityContext:
  runAsNonRoot: true
  # Stated as a number, or Kubernetes could not tell that it is not root.
  runAsUser: 65532
  runAsGroup: 65532
  readOnlyRootFilesystem: true
  allowPrivilegeEscalation: false
  capabilities:
    drop: [ALL]
resources:
  {{- toYaml $agent.resources | nindent 2 }}
volumeMounts:
- name: tmp
  mountPath: /tmp
- name: state
  mountPath: {{ include "sd.stateFolder" . }}
{{- if eq "true" (include "sd.tellsCost" .) }}
- name: kubernetes-api
  mountPath: /var/run/secrets/kubernetes.io/serviceaccount
  readOnly: true
{{- end }}
{{- end }}

{{/* Outlives a restart of the container, and goes with the pod. */}}
{{- define "sd.stateFolder" -}}
/var/lib/queue-agent
{{- end }}

{{/* Lowest first: defaults, what the stack gives as it is, what other values say, what only the pod knows, extraEnv. */}}
{{- define "sd.agentEnv" -}}
{{- $runtime := .Values.runtime -}}
{{- $agent := $runtime.queueAgent -}}
{{- $type := include "sd.type" . | fromYaml -}}
{{- $text := dict
  "AWS_DEFAULT_REGION" (required "global.awsRegion: is required" .Values.global.awsRegion)
  "SQS_QUEUE_URL" (required "runtime.queueAgent.sqsQueueUrl: is required" $agent.sqsQueueUrl)
  "SNS_TOPIC_ARN" (required "runtime.queueAgent.snsTopicArn: is required" $agent.snsTopicArn)
  "S3_BUCKET" (required "runtime.queueAgent.s3Bucket: is required" $agent.s3Bucket)
  "DEAD_LETTER_QUEUE_URL" $agent.deadLetterQueueUrl
  "RUNTIME_TYPE" $runtime.type
  "RUNTIME_NAME" (include "sd.runtimeName" .)
  "API_BASE_URL" (printf "http://127.0.0.1:%v" $type.port)
  "DYNAMIC_SD_MODEL" (toString $agent.dynamicModel)
  "TASK_TIMEOUT" (toString (int $runtime.taskTimeout))
  "SHUTDOWN_GRACE" (toString (int $runtime.taskTimeout))
  "HEALTH_PORT" "8090"
  "STATE_DIR" (include "sd.stateFolder" .)
  "INPUT_BUCKETS" (join "," $agent.inputBuckets)
  "ALLOWED_LINK_HOSTS" (join "," $agent.allowedLinkHosts)
  "OTEL_EXPORTER_OTLP_ENDPOINT" $agent.otlp.endpoint
  "OTEL_TRACES_EXPORTER" (ternary "" "none" $agent.XRay.enabled)
-}}
{{- $own := list (dict "name" "HOST_IP" "valueFrom" (dict "fieldRef" (dict "fieldPath" "status.hostIP"))) -}}
{{- if eq "true" (include "sd.tellsCost" .) -}}
  {{- range $name, $field := dict "POD_NAME" "metadata.name" "POD_NAMESPACE" "metadata.namespace" -}}
    {{- $own = append $own (dict "name" $name "valueFrom" (dict "fieldRef" (dict "fieldPath" $field))) -}}
  {{- end -}}
{{- end -}}
{{- $values := merge (dict) $agent.env (dict "LOGLEVEL" "INFO") -}}
{{- range $name, $value := $text -}}
  {{- if $value }}{{ $_ := set $values $name $value }}{{ end -}}
{{- end -}}
{{- range $name, $value := $values -}}
  {{- $own = append $own (dict "name" $name "value" $value) -}}
{{- end -}}
{{- include "sd.env" (dict "own" $own "extra" $agent.extraEnv) }}
{{- end }}
