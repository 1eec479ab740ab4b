param clusterName string = 'aks-one'

resource existing_ns 'Microsoft.ManagedIdentity/userAssignedIdentities@2018-11-30' existing = {
  name: 'id'
}

module names './names.bicep' = {
  name: 'names'
}

module flux './infra-and-apps.bicep' = {
  name: 'flux'
  params: {
    clusterName: clusterName
    fluxConfigRepo: 'https://github.com/Azure/AKS-Construction'
    namespace: names.outputs.namespace
    fluxRepoUsername: 'u'
    fluxRepoPassword: 'p'
  }
}

module other 'br:mcr.microsoft.com/bicep/avm/res/network:1.0' = {
  name: 'other'
}
