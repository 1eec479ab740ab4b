#!/bin/bash
export rg=gitops-demo
cluster="project1-prod-aks"

az aks create -n $cluster -g $rg -x --node-count 1   # not our matter

az k8s-configuration flux create -g $rg \
  -c $cluster \
  -t managedClusters \
  -n baseline \
  --namespace gitops \
  --scope cluster \
  -u https://github.com/example/gitops \
  --branch main \
  --interval 60s \
  --kustomization name=infra path=/clusters/${cluster} prune=true sync_interval=60s retry_interval=60s
