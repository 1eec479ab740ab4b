param clusters array = [
  'aks-dev'
  'aks-staging'
  'aks-production'
]
param gitUrl string = 'https://github.com/Azure/gitops-flux2-kustomize-helm-mt'
@secure()
param httpsKey string

resource aks 'Microsoft.ContainerService/managedClusters@2022-01-01' existing = [for name in clusters: {
  name: name
}]

resource fluxconfig 'Microsoft.KubernetesConfiguration/fluxConfigurations@2022-03-01' = [for (name, i) in clusters: {
  name: 'bicep-fluxconfig'
  scope: aks[i]
  properties: {
    scope: 'cluster'
    namespace: 'cluster-config'
    sourceKind: 'GitRepository'
    suspend: false
    gitRepository: {
      url: gitUrl
      syncIntervalInSeconds: 120
      repositoryRef: {
        branch: 'main'
      }
      httpsUser: 'username'
    }
    configurationProtectedSettings: {
      httpsKey: base64(httpsKey)
    }
    kustomizations: {
      infra: {
        path: './infrastructure'
        syncIntervalInSeconds: 120
      }
      apps: {
        path: './apps/production'
        syncIntervalInSeconds: 120
        dependsOn: [
          'infra'
        ]
      }
    }
  }
}]
