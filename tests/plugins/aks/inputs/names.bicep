output namespace string = 'flux-system'
