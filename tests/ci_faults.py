"""Faults for both CI systems: each is one edit of a healthy project, named by its threat."""

from __future__ import annotations

from dataclasses import dataclass

CI = ".github/workflows/ci.yml"
TRAIN = ".github/workflows/train.yml"
RELEASE = ".github/workflows/release.yml"
MONITOR = ".github/workflows/monitor.yml"
HANDOVER = ".github/workflows/jenkins.yml"
CLOUD = ".github/actions/cloud/action.yml"
JENKINS = "Jenkinsfile"

CHECKOUT = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1"


@dataclass(frozen=True)
class Fault:
    """In `file` the first `old` becomes `new`."""

    name: str
    file: str
    old: str
    new: str


# fmt: off
FAULTS = [
    Fault("T12 title of a pull request in a shell", CI, "- run: make check", "- run: make check WHY=${{ github.event.pull_request.title }}"),
    Fault("T12 branch name in a shell", TRAIN, "make pull", 'echo "${{ github.head_ref }}"'),
    Fault("T12 input in a shell", TRAIN, "make evaluate", "make evaluate WHY=${{ inputs.why }}"),
    Fault("T12 pull_request_target", CI, "  pull_request:", "  pull_request_target:"),
    Fault("T12 workflow_run", RELEASE, "  workflow_call:\n", "  workflow_run: {workflows: [ci], types: [completed]}\n  workflow_call:\n"),
    Fault("T12 comment starts a run", TRAIN, "  schedule:\n", "  issue_comment:\n  schedule:\n"),
    Fault("T12 default token for all", CI, "permissions: {}", "permissions: write-all"),
    Fault("T12 no word on the token", CI, "permissions: {}\n", ""),
    Fault("T12 a job may write", CI, "contents: read # checkout", "contents: write # checkout"),
    Fault("T12 one permission too many", TRAIN, "      id-token: write # login to the cloud without a stored key\n", "      id-token: write # login\n      packages: write # not needed\n"),
    Fault("T12 token left in the checkout", CI, "persist-credentials: false", "persist-credentials: true"),
    Fault("T12 token left by silence", TRAIN, "        with:\n          persist-credentials: false\n", ""),
    Fault("T12 head of the pull request is checked out", CI, "persist-credentials: false", "persist-credentials: false\n          ref: ${{ github.event.pull_request.head.sha }}"),
    Fault("T12 all secrets to a called workflow", TRAIN, "    uses: $/.github/workflows/release.yml\n", "    uses: $/.github/workflows/release.yml\n    secrets: inherit\n"),
    Fault("T12 secret for a whole job", TRAIN, "    environment: training\n", "    environment: training\n    env:\n      TOKEN: ${{ secrets.TOKEN }}\n"),
    Fault("T12 secret for a whole workflow", TRAIN, "permissions: {}\n", "permissions: {}\nenv:\n  TOKEN: ${{ secrets.TOKEN }}\n"),
    Fault("T12 secret to an action", RELEASE, "password: ${{ github.token }}", "password: ${{ secrets.PASSWORD }}"),
    Fault("T12 cache in a release", RELEASE, "enable-cache: false", "enable-cache: true"),
    Fault("T12 other shell", CI, "- run: make check", "- shell: bash -c '{0}; curl example.com'\n        run: make check"),
    Fault("T12 foreign container", CI, "    timeout-minutes: 15\n", "    timeout-minutes: 15\n    container: example.com/image:latest\n"),
    Fault("T12 runner of somebody", CI, "runs-on: ubuntu-latest", "runs-on: self-hosted"),
    Fault("T20 another cosign than the tested one", RELEASE, "cosign-release: v2.5.0", "cosign-release: v3.0.2"),
    Fault("T20 cosign of the installer's choice", RELEASE, "        with:\n          cosign-release: v2.5.0 # the installer's own choice is version 3\n", ""),
    Fault("T11 tag instead of a commit", CI, CHECKOUT, "actions/checkout@v7"),
    Fault("T11 moved commit", CI, CHECKOUT, f"actions/checkout@{'0' * 40} # v7.0.1"),
    Fault("T11 comment of another version", CI, CHECKOUT, CHECKOUT.replace("v7.0.1", "v7.0.0")),
    Fault("T11 action nobody knows", CI, CHECKOUT, f"someone/checkout@{'3' * 40} # v1"),
    Fault("T11 moved commit in the composite action", CLOUD, "e6de054238d6b7531b4efff3b6587d9aade6a06c", "1" * 40),
    Fault("T13 gate goes on after an error", TRAIN, "        id: gate\n", "        id: gate\n        continue-on-error: true\n"),
    Fault("T13 job goes on after an error", TRAIN, "    environment: training\n", "    environment: training\n    continue-on-error: true\n"),
    Fault("T13 or true", TRAIN, "make gate", "make gate || true"),
    Fault("T13 flag that keeps going", TRAIN, "make gate", "make -k gate"),
    Fault("T13 pipe hides the exit code", TRAIN, "make evaluate", "make evaluate | tee log.txt"),
    Fault("T13 two commands in one block", CI, "- run: make check", "- run: |\n          make check\n          curl example.com"),
    Fault("T13 gate taken out", TRAIN, "      - run: make gate\n        id: gate\n", "      - run: make lock\n        id: gate\n"),
    Fault("T13 gate after register", TRAIN, "      - run: make evaluate\n      - run: make gate\n        id: gate\n", "      - run: make evaluate\n      - run: make register\n      - run: make gate\n        id: gate\n"),
    Fault("T13 tests taken out", TRAIN, "      - run: make test\n", ""),
    Fault("T13 gate on condition", TRAIN, "        id: gate\n", "        id: gate\n        if: github.event_name != 'schedule'\n"),
    Fault("T13 register always", TRAIN, "      - run: make register\n", "      - run: make register\n        if: always()\n"),
    Fault("T13 release always", TRAIN, "if: needs.check.outputs.release == 'yes'", "if: always()"),
    Fault("T13 release without training", TRAIN, "    needs: [check, train]\n    if: needs.check.outputs.release", "    needs: [check]\n    if: needs.check.outputs.release"),
    Fault("T13 production without staging", RELEASE, "    needs: [offer, staging]\n", "    needs: [offer, image]\n"),
    Fault("T13 canary outside its environment", RELEASE, "environment: production #", "environment: staging #"),
    Fault("T13 promote before canary", RELEASE, "      - run: make canary ENV=production\n        id: canary\n      - run: make promote ENV=production\n", "      - run: make promote ENV=production\n      - run: make canary ENV=production\n        id: canary\n"),
    Fault("T13 release of a model that was not offered", RELEASE, "    if: needs.offer.outputs.release == 'yes'\n", ""),
    Fault("T13 image of whichever model is challenger", RELEASE, "      JUDGED: ${{ needs.offer.outputs.model }}\n", ""),
    Fault("T13 production of whichever model is challenger", RELEASE, "      JUDGED: ${{ needs.offer.outputs.model }}\n      WHY", "      WHY"),
    Fault("T13 offer taken out", RELEASE, "      - run: make offer\n", "      - run: make summary\n"),
    Fault("T13 scan taken out", RELEASE, "      - run: make scan\n", ""),
    Fault("T13 verify taken out before staging", RELEASE, "      - run: make verify\n      - run: make deploy ENV=staging", "      - run: make deploy ENV=staging"),
    Fault("T13 verify taken out before production", RELEASE, "      - run: make verify\n      - run: make deploy ENV=production", "      - run: make deploy ENV=production"),
    Fault("T13 canary of what was not deployed", RELEASE, "      - run: make deploy ENV=production\n", ""),
    Fault("T13 production without a canary", RELEASE, "ENV=production\n", "ENV=production STRATEGY=rolling\n"),
    Fault("T13 promote without a canary", RELEASE, "      - run: make canary ENV=production\n        id: canary\n", "      - run: make lock\n        id: canary\n"),
    Fault("T13 load of a model that nobody gets", RELEASE, " STRATEGY=rolling", ""),
    Fault("T13 verify goes on after an error", RELEASE, "      - run: make verify\n", "      - run: make verify\n        continue-on-error: true\n"),
    Fault("T12 staging may write images", RELEASE, "packages: read #", "packages: write #"),
    Fault("T12 one secret more to a called workflow", TRAIN, "    secrets:\n", "    secrets:\n      TOKEN: ${{ secrets.TOKEN }}\n"),
    Fault("T13 monitor trains by itself", MONITOR, "make retrain", "make run"),
    Fault("T13 monitor decides whatever happened", MONITOR, "if: success() || steps.monitor.outcome == 'failure'\n        env", "if: always()\n        env"),
    Fault("T13 register is shown as if it were the gate", TRAIN, "        id: register\n        env", "        id: register\n        continue-on-error: true\n        env"),
    Fault("T13 release from any branch", TRAIN, "    branches: [main]\n", "    branches: ['**']\n"),
    Fault("T13 gates.yaml changes unseen", TRAIN, "gates.yaml, ", ""),
    Fault("T13 pull requests that pass unseen", CI, "  pull_request:\n", "  pull_request:\n    paths-ignore: [src/**]\n"),
    Fault("T13 word that does not exist", CI, "make check", "make cheque"),
    Fault("T13 output that does not exist", TRAIN, "needs.check.outputs.train == 'yes'", "needs.chekc.outputs.train != 'no'"),
    Fault("T13 no time limit", TRAIN, "    timeout-minutes: 360\n", ""),
    Fault("T13 two trainings at once", TRAIN, "concurrency:\n  group: train\n  cancel-in-progress: false\n\n", ""),
    Fault("T16 secret in a job of a pull request", CI, "- run: make check", "- run: make check\n        env:\n          TOKEN: ${{ secrets.TOKEN }}"),
    Fault("T16 identity in a job of a pull request", CI, "      contents: read # checkout\n", "      contents: read # checkout\n      id-token: write # login\n"),
    Fault("T16 training on a pull request", TRAIN, "  schedule:\n", "  pull_request:\n  schedule:\n"),
    Fault("T12 monitor may do more", MONITOR, "actions: write #", "contents: write #"),
    Fault("T12 hand-over leaks its token", HANDOVER, "make start", "make start WHY=$JENKINS_TOKEN"),

    Fault("T13 Jenkins: or true", JENKINS, "sh 'make gate'", "sh 'make gate || true'"),
    Fault("T13 Jenkins: exit code ignored", JENKINS, "sh 'make gate'", "sh(script: 'make gate', returnStatus: true)"),
    Fault("T13 Jenkins: error caught", JENKINS, "steps { sh 'make gate' }", "steps { catchError { sh 'make gate' } }"),
    Fault("T13 Jenkins: gate taken out", JENKINS, "                                stage('Gate') {\n                                    steps { sh 'make gate' }", "                                stage('Gate') {\n                                    steps { echo 'gate' }"),
    Fault("T13 Jenkins: gate on condition", JENKINS, "                                stage('Gate') {\n", "                                stage('Gate') {\n                                    when { expression { false } }\n"),
    Fault("T13 Jenkins: promote whatever happened", JENKINS, "cleanup { cleanWs() }", "always { sh 'make promote' }\n        cleanup { cleanWs() }"),
    Fault("T13 Jenkins: promote before canary", JENKINS, "sh 'make canary ENV=production'", "sh 'make promote ENV=production'"),
    Fault("T13 Jenkins: canary of what was not deployed", JENKINS, "sh 'make deploy ENV=production'", "sh 'make verify'"),
    Fault("T13 Jenkins: production without a canary", JENKINS, "sh 'make deploy ENV=production'", "sh 'make deploy ENV=production STRATEGY=rolling'"),
    Fault("T13 Jenkins: no approval", JENKINS, "                    input { message 'Release this model to production?' }\n", ""),
    Fault("T13 Jenkins: release from any branch", JENKINS, "                branch 'main'\n", "                not { branch 'nothing' }\n"),
    Fault("T13 Jenkins: scan taken out", JENKINS, "                        sh 'make scan'\n", ""),
    Fault("T13 Jenkins: word that does not exist", JENKINS, "make check", "make cheque"),
    Fault("T13 Jenkins: runs at the same time", JENKINS, "        disableConcurrentBuilds()\n", ""),
    Fault("T13 Jenkins: no time limit", JENKINS, "        timeout(time: 30, unit: 'HOURS')\n", ""),
    Fault("T13 Jenkins: time limit without sense", JENKINS, "timeout(time: 6, unit: 'HOURS')", "timeout(time: 6, unit: 'HOUR')"),
    Fault("T15 Jenkins: double quotes", JENKINS, "sh 'make test'", 'sh "make test"'),
    Fault("T15 Jenkins: parameter in a shell", JENKINS, "sh 'make test'", 'sh "make test WHY=${params.WHY}"'),
    Fault("T15 Jenkins: secret in a shell", JENKINS, "sh 'make sign'", 'sh "make sign KEY=${COSIGN_KEY}"'),
    Fault("T15 Jenkins: script block", JENKINS, "sh 'make test'", "script { sh 'make test' }"),
    Fault("T15 Jenkins: load", JENKINS, "sh 'make test'", "load 'other.groovy'"),
    Fault("T15 Jenkins: grab", JENKINS, "pipeline {", "@Grab('org.example:thing:1.0')\nimport org.example.Thing\npipeline {"),
    Fault("T15 Jenkins: library", JENKINS, "pipeline {", "library 'shared'\npipeline {"),
    Fault("T15 Jenkins: code before the pipeline", JENKINS, "pipeline {", "println 'make'.execute().text\npipeline {"),
    Fault("T15 Jenkins: secret for the whole build", JENKINS, "environment { CI = 'true' }", "environment { TOKEN = credentials('github') }"),
    Fault("T16 Jenkins: pull request sees credentials", JENKINS, "sh 'make test'", "withCredentials([string(credentialsId: 'github', variable: 'T')]) { sh 'make test' }"),
    Fault("T16 Jenkins: credentials of another step", JENKINS, "credentialsId: 'staging'", "credentialsId: 'production'"),
    Fault("T16 Jenkins: training on a pull request", JENKINS, "                branch 'main'\n", "                anyOf { branch 'main'; changeRequest() }\n"),
    Fault("T15 Jenkins: on the controller", JENKINS, "agent { label 'release' }", "agent { label 'built-in' }"),
    Fault("T15 Jenkins: on any agent", JENKINS, "agent { kubernetes { yamlFile '.jenkins/cpu.yaml'; defaultContainer 'python' } }", "agent any"),
    Fault("T15 Jenkins: step with a slip", JENKINS, "archiveArtifacts '", "archiveArtefacts '"),
    Fault("T15 Jenkins: condition with a slip", JENKINS, "unsuccessful {", "failed {"),
    Fault("T15 Jenkins: section with a slip", JENKINS, "    environment {", "    enviroment {"),
    Fault("T15 Jenkins: option with a slip", JENKINS, "disableConcurrentBuilds()", "disableConcurrentBuild()"),
    Fault("T15 Jenkins: same stage twice", JENKINS, "stage('Try')", "stage('Judge')"),
    Fault("T15 Jenkins: stage without a body", JENKINS, "steps { sh 'make evaluate' }", ""),
    Fault("T15 Jenkins: stage with two bodies", JENKINS, "steps { sh 'make evaluate' }", "steps { sh 'make evaluate' }\nstages { stage('More') { steps { sh 'make gate' } } }"),
    Fault("T15 Jenkins: container that is not there", JENKINS, "defaultContainer 'python'", "defaultContainer 'builder'"),

    Fault("T13 Jenkins: verify taken out before staging", JENKINS, "                            sh 'make verify'\n", "                            sh 'make doctor'\n"),
    Fault("T13 Jenkins: image of another model", JENKINS, "make image MODEL=challenger", "make image"),
    Fault("T13 Jenkins: image of whichever model is challenger", JENKINS, "environment { JUDGED = readFile('reports/judged.txt') }", "environment { OTHER = readFile('reports/judged.txt') }"),
    Fault("T13 Jenkins: release of a model that was not offered", JENKINS, "when { expression { readFile('reports/offer.txt').contains('release=yes') } }", ""),
    Fault("T13 Jenkins: offer taken out", JENKINS, "                        sh 'make offer'\n", ""),
    Fault("T13 Jenkins: gate beside others", JENKINS, "sh 'make search PART=1'", "sh 'make gate'"),
    Fault("T15 Jenkins: cache with a slip", JENKINS, "skipSave: true", "skipSaving: true"),
    Fault("T16 Jenkins: search with all credentials", JENKINS, "                                sh 'make search PART=2'", "                                withCredentials([file(credentialsId: 'production', variable: 'KUBECONFIG')]) { sh 'make search PART=2' }"),
    Fault("T14 Jenkins does more", JENKINS, "sh 'make doctor'", "sh 'make doctor'\n                sh 'make format'"),
    Fault("T14 Jenkins does less", JENKINS, "                sh 'make doctor'\n", ""),
    Fault("T14 Jenkins in another order", JENKINS, "sh 'make check'\n                sh 'make test'", "sh 'make test'\n                sh 'make check'"),
    Fault("T14 Jenkins deploys elsewhere", JENKINS, "ENV=staging", "ENV=production"),
    Fault("T14 a workflow does more", CI, "      - run: make check\n", "      - run: make check\n      - run: make search\n"),
    Fault("T14 a workflow does less", TRAIN, "      - run: make summary\n        if: success() || steps.gate.outcome == 'failure' || steps.register.outcome == 'failure'\n", ""),
    Fault("T14 a workflow in another order", CI, "      - run: make check\n      - run: make test\n", "      - run: make test\n      - run: make check\n"),
]
# fmt: on
