#!/bin/sh
# Start-up script of an instance template (Container-Optimized OS): runs the service in a container. What differs between
# templates comes from the instance's metadata, each if wanted:
#   augury-image          the image
#   augury-gpu            1 where the machine has one
#   augury-settings       name of a secret whose value is an env file
#   augury-environment    further settings that are no secret, a line each: NAME=value
#   augury-secrets        settings that are, NAME=SECRET with spaces between: the value is the secret's
#   augury-redis-ca       name of a secret: the certificate authority of Redis; augury-redis-ca-path: where the container finds it
# Runs at every boot; nothing it makes outlives the container but the state.
set -eu

metadata() {
    curl --silent --fail --header 'Metadata-Flavor: Google' \
        "http://metadata.google.internal/computeMetadata/v1/$1" || printf '%s' "${2:-}"
}

# Prints the newest version of a secret of the project.
secret() {
    value=$(curl --silent --show-error --fail --header "Authorization: Bearer $token" \
        "https://secretmanager.googleapis.com/v1/projects/$project/secrets/$1/versions/latest:access" |
        sed -n 's/.*"data": *"\([^"]*\)".*/\1/p' | base64 -d)
    if [ -z "$value" ]; then
        echo "augury: the secret $1 of project $project could not be read" >&2
        exit 1
    fi
    printf '%s\n' "$value"
}

image=$(metadata instance/attributes/augury-image)
file=$(metadata instance/attributes/augury-settings)
plain=$(metadata instance/attributes/augury-environment)
secrets=$(metadata instance/attributes/augury-secrets)
authority=$(metadata instance/attributes/augury-redis-ca)
authority_path=$(metadata instance/attributes/augury-redis-ca-path)
gpu=$(metadata instance/attributes/augury-gpu 0)
project=$(metadata project/project-id)
if [ -z "$image" ] || [ -z "$file$plain$secrets" ]; then
    echo "augury: the instance needs the metadata augury-image, and settings (augury-settings, augury-environment or augury-secrets)" >&2
    exit 1
fi
token=$(metadata instance/service-accounts/default/token | sed 's/.*"access_token":"\([^"]*\)".*/\1/')

# The settings hold keys: in memory, readable by root alone.
umask 077
run=${RUN_FOLDER:-/run}
settings=$run/augury.env
: > "$settings"
if [ -n "$file" ]; then
    secret "$file" >> "$settings"
fi
if [ -n "$plain" ]; then
    printf '%s\n' "$plain" >> "$settings"
fi
for pair in $secrets; do
    value=$(secret "${pair#*=}")
    printf '%s=%s\n' "${pair%%=*}" "$value" >> "$settings"
done

set --
if [ -n "$authority" ]; then
    secret "$authority" > "$run/augury-redis-ca.pem"
    chmod 0644 "$run/augury-redis-ca.pem" # no secret, and the container's user is not root
    set -- --volume "$run/augury-redis-ca.pem:$authority_path:ro"
fi

export HOME="$run/augury-docker" # the root file system cannot be written
mkdir -p "$HOME"
docker-credential-gcr configure-docker --registries="${image%%/*}" >/dev/null

if [ "$gpu" = 1 ]; then
    cos-extensions install gpu
    mount --bind /var/lib/nvidia /var/lib/nvidia
    mount -o remount,exec /var/lib/nvidia
    set -- "$@" --volume /var/lib/nvidia/lib64:/usr/local/nvidia/lib64:ro --env LD_LIBRARY_PATH=/usr/local/nvidia/lib64
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
