param clusterName string
param fluxConfigRepo string
param fluxConfigRepoBranch string = 'main'
param fluxRepoPath string = ''
param namespace string = 'flux-system'
@secure()
param fluxRepoUsername string = ''
@secure()
param fluxRepoPassword string = ''

var configName = toLower('fluxsetup')

resource aks 'Microsoft.ContainerService/managedClusters@2022-03-02-preview' existing = {
  name: clusterName
}

resource fluxConfig 'Microsoft.KubernetesConfiguration/fluxConfigurations@2022-03-01' = {
  scope: aks
  name: configName
  properties: {
    scope: 'cluster'
    namespace: namespace
    sourceKind: 'GitRepository'
    gitRepository: {
      url: fluxConfigRepo
      timeoutInSeconds: 180
      syncIntervalInSeconds: 300
      repositoryRef: {
        branch: fluxConfigRepoBranch
      }
    }
    configurationProtectedSettings: !empty(fluxRepoUsername) && !empty(fluxRepoPassword) ? {
      username: base64(fluxRepoUsername)
      password: base64(fluxRepoPassword)
    } : {}
    kustomizations: {
      infra: {
        path: '${fluxRepoPath}./infrastructure'
        timeoutInSeconds: 300
        syncIntervalInSeconds: 300
        retryIntervalInSeconds: 300
        prune: true
      }
      apps: {
        path: './apps/staging'
        timeoutInSeconds: 300
        syncIntervalInSeconds: 300
        retryIntervalInSeconds: 300
        prune: true
        dependsOn: [
          'infra'
        ]
      }
    }
  }
}
