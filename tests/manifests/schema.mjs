// Objects as JSON on stdin; for each one of a custom resource: what its schema says against it.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)
const packages = {
  'argoproj.io': 'argo-rollouts',
  'gateway.networking.k8s.io': 'gateway-api',
  'monitoring.coreos.com': 'prometheus-operator',
}

function fault({ apiVersion, kind, ...rest }) {
  const [group, version] = apiVersion.split('/')
  if (!(group in packages)) return `no schema for ${apiVersion}`
  let model
  try {
    model = require(`@kubernetes-models/${packages[group]}/${group}/${version}/${kind}`)[kind]
  } catch {
    return `there is no ${kind} in ${apiVersion}`
  }
  try {
    new model({ apiVersion, kind, ...rest }).validate()
  } catch (error) {
    return error.message
  }
  return null
}

console.log(JSON.stringify(JSON.parse(readFileSync(0)).map(fault)))
