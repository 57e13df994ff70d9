document.getElementById('root')!.textContent = 'drp';
