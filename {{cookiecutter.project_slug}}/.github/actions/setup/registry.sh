# Log in to the registry of IMAGE_REGISTRY: as REGISTRY_USER, else as who is logged in to its cloud.
set -eu
host=${IMAGE_REGISTRY%%/*}
if [ -n "$REGISTRY_PASSWORD" ]; then
    user=$REGISTRY_USER password=$REGISTRY_PASSWORD
else
    case $host in
    ghcr.io) user=$ACTOR password=$TOKEN ;;
    *.dkr.ecr.*)
        region=${host#*.dkr.ecr.}
        user=AWS password=$(aws ecr get-login-password --region "${region%%.*}")
        ;;
    *-docker.pkg.dev | gcr.io | *.gcr.io) user=oauth2accesstoken password=$(gcloud auth print-access-token) ;;
    *.azurecr.io)
        user=00000000-0000-0000-0000-000000000000
        password=$(az acr login --name "${host%%.*}" --expose-token --output tsv --query accessToken)
        ;;
    *) user='' password='' ;;
    esac
fi
if [ -z "$user" ] || [ -z "$password" ]; then
    echo "ERROR: login: nobody is known to $host: set the variable REGISTRY_USER and, in the" \
        "environment, the secret REGISTRY_PASSWORD" >&2
    exit 1
fi
# Outside the home folder, which a runner of your own keeps.
DOCKER_CONFIG=$RUNNER_TEMP/docker
export DOCKER_CONFIG
printf 'DOCKER_CONFIG=%s\n' "$DOCKER_CONFIG" >>"$GITHUB_ENV"
printf %s "$password" | docker login --username "$user" --password-stdin "$host"
