#!/bin/sh
# Start-up script of an instance template (Container-Optimized OS): runs the service in a container. What differs between
# templates comes from the instance's metadata: augury-image, augury-settings (the name of a secret whose value is an env
# file), augury-gpu (1 where the machine has one). Runs at every boot; nothing it makes outlives the container but the state.
set -eu

metadata() {
    curl --silent --fail --header 'Metadata-Flavor: Google' \
        "http://metadata.google.internal/computeMetadata/v1/$1" || printf '%s' "${2:-}"
}

image=$(metadata instance/attributes/augury-image)
secret=$(metadata instance/attributes/augury-settings)
gpu=$(metadata instance/attributes/augury-gpu 0)
project=$(metadata project/project-id)
if [ -z "$image" ] || [ -z "$secret" ]; then
    echo "augury: the instance needs the metadata augury-image and augury-settings" >&2
    exit 1
fi
token=$(metadata instance/service-accounts/default/token | sed 's/.*"access_token":"\([^"]*\)".*/\1/')

# The settings hold keys: in memory, readable by root alone.
umask 077
settings=/run/augury.env
curl --silent --show-error --fail --header "Authorization: Bearer $token" \
    "https://secretmanager.googleapis.com/v1/projects/$project/secrets/$secret/versions/latest:access" |
    sed -n 's/.*"data": *"\([^"]*\)".*/\1/p' | base64 -d > "$settings"
if [ ! -s "$settings" ]; then
    echo "augury: the secret $secret of project $project could not be read" >&2
    exit 1
fi

export HOME=/run/augury-docker # the root file system cannot be written
mkdir -p "$HOME"
docker-credential-gcr configure-docker --registries="${image%%/*}" >/dev/null

set --
if [ "$gpu" = 1 ]; then
    cos-extensions install gpu
    mount --bind /var/lib/nvidia /var/lib/nvidia
    mount -o remount,exec /var/lib/nvidia
    set -- --volume /var/lib/nvidia/lib64:/usr/local/nvidia/lib64:ro --env LD_LIBRARY_PATH=/usr/local/nvidia/lib64
    for device in /dev/nvidia0 /dev/nvidiactl /dev/nvidia-uvm; do
        set -- "$@" --device "$device"
    done
fi

docker pull "$image"
docker rm --force augury >/dev/null 2>&1 || true
exec docker run --detach --name augury --init --restart always "$@" \
    --env-file "$settings" \
    --publish 8000:8000 \
    --volume augury-state:/var/lib/augury \
    --read-only --tmpfs /tmp:size=1g \
    --cap-drop ALL --security-opt no-new-privileges \
    --ulimit nofile=65536:65536 \
    --stop-timeout 45 \
    --log-driver json-file --log-opt max-size=50m --log-opt max-file=4 \
    "$image"
