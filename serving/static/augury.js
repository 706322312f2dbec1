window.augury = window.augury || [];
