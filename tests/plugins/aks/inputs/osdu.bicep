@description('Branch or tag')
param ref object = {
  tag: ''
  branch: 'main'
}
param profile string = 'core'
param ingressMode string = 'azure'
param interval int = 600

var prefix = ingressMode == 'azure'
  ? './software/stacks/osdu/ingress/azure'
  : ingressMode == 'none'
    ? ''
    : './software/stacks/osdu/ingress/other'

resource cluster 'Microsoft.ContainerService/managedClusters@2024-02-01' existing = {
  name: 'osdu'
}

resource extension 'Microsoft.KubernetesConfiguration/extensions@2023-05-01' = {
  scope: cluster
  name: 'flux'
  properties: {
    extensionType: 'microsoft.flux'
    configurationSettings: {
      'multiTenancy.enforce': 'false'
    }
  }
}

resource config 'Microsoft.KubernetesConfiguration/fluxConfigurations@2024-11-01' = {
  name: 'osdu-spi-stack-system'
  scope: cluster
  properties: {
    namespace: 'osdu-flux'
    sourceKind: 'GitRepository'
    gitRepository: {
      url: 'https://github.com/Azure/osdu-spi-stack'
      syncIntervalInSeconds: interval
      timeoutInSeconds: 600
      repositoryRef: empty(ref.tag) ? {
        branch: ref.branch
      } : {
        tag: ref.tag
      }
    }
    kustomizations: union({
      stack: {
        path: './software/stacks/osdu/profiles/${profile}'
        prune: true
        syncIntervalInSeconds: interval
        timeoutInSeconds: 1800
      }
    }, empty(prefix) ? {} : {
      ingress: {
        path: prefix
        prune: true
        syncIntervalInSeconds: interval
        timeoutInSeconds: 1800
      }
    })
  }
}
